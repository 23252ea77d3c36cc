// The least that workerd needs to start.
export default {
  fetch: () => new Response(),
} satisfies ExportedHandler;
