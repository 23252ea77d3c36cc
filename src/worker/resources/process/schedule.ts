// The grammar of schedules. All that it takes, Kubernetes takes for a CronJob, and means the same by it:
// https://pkg.go.dev/github.com/robfig/cron/v3#hdr-CRON_Expression_Format

interface Field {
  name: string;
  min: number;
  max: number;
  /** Those of its values, in any case. */
  names?: string[];
}

const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");
const DAYS = "SUN MON TUE WED THU FRI SAT".split(" ");

const FIELDS: Field[] = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day of the month", min: 1, max: 31 },
  { name: "month", min: 1, max: 12, names: MONTHS },
  { name: "day of the week", min: 0, max: 6, names: DAYS },
];

/** All values, one, or a range; every nth of these. */
const ITEM = /^(?:[*?]|(\w+)(?:-(\w+))?)(?:\/(\d{1,9}))?$/;

/** @returns what is wrong with a schedule, in the words of a sentence about it; undefined if nothing is */
export function mistakeIn(schedule: string): string | undefined {
  const texts = schedule.split(/[ \t]+/);
  if (texts.includes("")) return `${MUST_BE}, and no spaces around them`;
  if (texts.length !== FIELDS.length) return `${MUST_BE} (${NAMES}), and has ${texts.length}`;
  for (const [n, field] of FIELDS.entries()) {
    const text = String(texts[n]);
    const wrong = text.split(",").find((item) => !isItem(item, field));
    if (wrong !== undefined) {
      const taken = `${valuesOf(field)}, with lists, ranges that do not wrap around, and steps`;
      return `${MUST_BE}: the ${field.name} cannot be ${quoted(wrong || text)} (${taken})`;
    }
  }
  return undefined;
}

const MUST_BE = "must be a cron expression with five fields";
const NAMES = FIELDS.map(({ name }) => name).join(", ");

const MAX_QUOTED = 20;
const quoted = (text: string): string =>
  JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);

const valuesOf = ({ min, max, names }: Field): string =>
  `${min}-${max}${names === undefined ? "" : ` or ${names[0]}-${names.at(-1)}`}`;

function isItem(item: string, { min, max, names = [] }: Field): boolean {
  const match = ITEM.exec(item);
  if (match === null) return false;
  const [, from = String(min), to = from, step = "1"] = match;
  // Below the smallest value if it is no name.
  const numberOf = (value: string) => (/^\d+$/.test(value) ? Number(value) : min + names.indexOf(value.toUpperCase()));
  return min <= numberOf(from) && numberOf(from) <= numberOf(to) && numberOf(to) <= max && Number(step) > 0;
}
