// The reference: Swagger UI over the document of this very host.

const dark = matchMedia("(prefers-color-scheme: dark)");
const followSystem = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followSystem);
followSystem();

const ui = SwaggerUIBundle({
  url: "/v3/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  plugins: [TidyPlugin],
  onComplete() {
    // Only `npm run dev` says one (src/local/worker.ts).
    const key = document.querySelector('meta[name="demo-key"]')?.getAttribute("content");
    if (key) ui.preauthorizeApiKey("bearerAuth", key);
  },
});
