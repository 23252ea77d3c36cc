// For `node --import`: Node parses a package's whole package.json for every file of it that is not called .mjs, and
// Drizzle's has 180 KB: half of what a command takes to start. Its files import each other without asking.
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    const { parentURL } = context;
    if (specifier.startsWith(".") && parentURL?.includes("/node_modules/drizzle-orm/") && parentURL.endsWith(".js")) {
      return { url: new URL(specifier, parentURL).href, format: "module", shortCircuit: true };
    }
    return next(specifier, context);
  },
});
