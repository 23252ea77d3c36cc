import { defineConfig } from "drizzle-kit";

export default defineConfig({ dialect: "postgresql", schema: "./src/worker/**/table.ts", out: "./drizzle" });
