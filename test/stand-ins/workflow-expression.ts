// GitHub's expressions, as far as they mean the same in JavaScript:
// https://docs.github.com/en/actions/reference/workflows-and-actions/expressions

/** @param contexts `github`, `inputs`, … by name; what is missing is empty */
export function evaluate(expression: string, contexts: Record<string, unknown>): unknown {
  const [, inner = expression] = /^\$\{\{(.*)\}\}$/s.exec(expression.trim()) ?? [];
  const names = { ...FUNCTIONS, ...contexts };
  // A property of what is missing is no error.
  const body = `return (${inner.replaceAll(/\.(?=[a-z_])/g, "?.")})`;
  return new Function(...Object.keys(names), body)(...Object.values(names));
}

const FUNCTIONS = {
  always: () => true,
  format: (text: string, ...values: unknown[]) => text.replaceAll(/\{(\d+)\}/g, (_, index) => String(values[index])),
};
