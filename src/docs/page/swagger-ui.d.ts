// The parts of Swagger UI that the page uses.

interface SwaggerUI {
  /** Enters a key as a person would in its dialog. */
  preauthorizeApiKey(scheme: string, value: string): void;
}

/** https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/ */
declare function SwaggerUIBundle(options: {
  url: string;
  dom_id: string;
  deepLinking: boolean;
  defaultModelsExpandDepth: number;
  displayRequestDuration: boolean;
  tryItOutEnabled: boolean;
  plugins: readonly (() => unknown)[];
  onComplete(): void;
}): SwaggerUI;

interface SwaggerSystem {
  React: {
    createElement(type: unknown, props: object | null, ...children: unknown[]): unknown;
    useRef<T>(initial: T): { current: T };
    useEffect(effect: () => () => void, dependencies: readonly unknown[]): void;
  };
  getComponent(name: string, isContainer?: boolean): unknown;
}

type WrapComponent = (
  Original: unknown,
  system: SwaggerSystem,
  // biome-ignore lint/suspicious/noExplicitAny: the library has no types for them
) => (props: any) => unknown;
