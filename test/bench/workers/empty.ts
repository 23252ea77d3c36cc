// What workerd itself needs to start.
export default {
  fetch: () => new Response(),
} satisfies ExportedHandler;
