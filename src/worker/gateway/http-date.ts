/** IMF-fixdate, then the two obsolete forms that a recipient must still read (RFC 9110, section 5.6.7). */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const RFC_850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * Reads an HTTP-date. `Date.parse` would also read `2025` and `1 May`, which are none.
 *
 * @returns milliseconds since 1970; undefined for anything else, which a recipient ignores
 */
export function parseHttpDate(value: string): number | undefined {
  const imf = IMF_FIXDATE.exec(value);
  if (imf) return toTime(imf[3], imf[2], imf[1], imf.slice(4));
  const rfc850 = RFC_850.exec(value);
  if (rfc850) return toTime(String(fullYear(Number(rfc850[3]))), rfc850[2], rfc850[1], rfc850.slice(4));
  const asctime = ASCTIME.exec(value);
  if (asctime) return toTime(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6));
  return undefined;
}

/** More than 50 years ahead means the most recent past year that ends so. */
function fullYear(twoDigits: number): number {
  const now = new Date().getUTCFullYear();
  const year = now - (now % 100) + twoDigits;
  return year > now + 50 ? year - 100 : year;
}

function toTime(year?: string, month = "", day?: string, clock: string[] = []): number | undefined {
  const [hours = 0, minutes = 0, seconds = 0] = clock.map(Number);
  const monthIndex = MONTHS.indexOf(month);
  // Date.UTC takes years below 100 for 19xx.
  const date = new Date(0);
  date.setUTCFullYear(Number(year), monthIndex, Number(day));
  if (monthIndex < 0 || date.getUTCDate() !== Number(day) || hours > 23 || minutes > 59 || seconds > 60)
    return undefined;
  return date.setUTCHours(hours, minutes, seconds);
}
