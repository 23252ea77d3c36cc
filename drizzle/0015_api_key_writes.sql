CREATE TABLE "api_key_writes" (
	"api_key_id" uuid PRIMARY KEY NOT NULL,
	"day" date NOT NULL,
	"bytes" bigint NOT NULL,
	CONSTRAINT "api_key_writes_day_finite" CHECK (isfinite("api_key_writes"."day")),
	CONSTRAINT "api_key_writes_bytes_range" CHECK ("api_key_writes"."bytes" between 0 and 9007199254740991)
);
--> statement-breakpoint
ALTER TABLE "api_key_writes" ADD CONSTRAINT "api_key_writes_api_key_id_api_keys_id_fk" FOREIGN KEY ("api_key_id") REFERENCES "public"."api_keys"("id") ON DELETE cascade ON UPDATE no action;