// The fields of an object, each with its name, what it means and its type. One level, and what a list consists of, lies open;
// what is below unfolds.
import type { Schema } from "./document.ts";
import { describeType, type Html, html, inline, type Kind, typeOf, withoutNull } from "./words.ts";

export interface Place {
  /** The anchor of the object, with which those of its fields begin. A component's is its name, where it is shown. */
  anchor: string;
  /** In a request every field that is required is marked, in a response every field that may be absent. */
  kind: Kind;
  /** The components that are shown in full somewhere on the page. */
  shown: Set<string>;
  /** Whether this is in something that was unfolded. */
  isUnfolded?: boolean;
}

/** Renders what is inside a value, or nothing if its type says all. */
export function renderInside(schema: Schema, place: Place): Html | undefined {
  const inner = elementOf(schema);
  if (isShownElsewhere(inner, place)) return html`<a href="#${inner.title}">Fields of ${inner.title}</a>`;
  if (inner.oneOf !== undefined) return renderForms(inner.oneOf, inner.discriminator?.propertyName, place);
  if (inner.properties === undefined) return undefined;
  return renderFields(inner, Object.entries(inner.properties), place);
}

/** The value itself, or what an array consists of. */
function elementOf(schema: Schema): Schema {
  const { schema: inner } = withoutNull(schema);
  return inner.items === undefined ? inner : elementOf(inner.items);
}

const isShownElsewhere = ({ title }: Schema, { anchor, shown }: Place): boolean =>
  title !== undefined && title !== anchor && shown.has(title);

const renderFields = (parent: Schema, fields: [string, Schema][], place: Place): Html =>
  html`<dl class="fields">${fields.map(([name, schema]) =>
    renderField(name, schema, parent.required?.includes(name) ?? false, place),
  )}</dl>`;

function renderField(name: string, schema: Schema, isRequired: boolean, place: Place): Html {
  const anchor = `${place.anchor}.${name}`;
  const inside = renderInside(schema, { ...place, anchor, isUnfolded: true });
  const isList = withoutNull(schema).schema.items !== undefined;
  const isFolded = !place.isUnfolded && !isList && !isShownElsewhere(elementOf(schema), place);
  const note =
    place.kind === "request"
      ? isRequired && html`<strong class="required">required</strong> `
      : !isRequired && "optional, ";
  return html`<div class="field" id="${anchor}">
<dt><a href="#${anchor}">${renderName(name)}</a></dt>
<dd><p>${inline(schema.description)} <small>${note}${inline(describeType(schema, place.kind))}</small></p>
${inside && (isFolded ? html`<details><summary>${summaryOf(elementOf(schema))}</summary>${inside}</details>` : inside)}</dd>
</div>`;
}

/** Lets a name wrap behind an underscore. */
const renderName = (name: string): Html => html`<code>${name.split(/(?<=_)/).map((part) => html`${part}<wbr>`)}</code>`;

function summaryOf({ oneOf, properties = {} }: Schema): string {
  if (oneOf !== undefined) return `${oneOf.length} forms`;
  const { length } = Object.keys(properties);
  return length === 1 ? "1 field" : `${length} fields`;
}

/** Renders alternatives. Where one field tells them apart, its value is the name of the form. */
function renderForms(forms: Schema[], discriminator: string | undefined, place: Place): Html {
  return html`<div class="forms">${forms.map((form, index) => {
    const told = discriminator === undefined ? undefined : form.properties?.[discriminator];
    const value = told?.const ?? told?.enum?.[0];
    const fields = Object.entries(form.properties ?? {}).filter(([name]) => name !== discriminator);
    const anchor = `${place.anchor}.${value ?? index + 1}`;
    return html`<details name="${place.anchor}" ${!place.isUnfolded && index === 0 && "open"}>
<summary>${value === undefined ? (form.title ?? typeOf(form)) : html`<code>${discriminator}: ${JSON.stringify(value)}</code>`} ${inline(form.description)}</summary>
${renderFields(form, fields, { ...place, anchor })}</details>`;
  })}</div>`;
}
