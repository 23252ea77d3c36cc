// Wrangler on a machine of one's own: nothing looked up, reported or written elsewhere. Import it before wrangler.
Object.assign(process.env, {
  // Else Miniflare fetches Request.cf from the internet at every start.
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_WRITE_LOGS: "false",
  WRANGLER_HIDE_BANNER: "true",
});
