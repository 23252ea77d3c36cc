// The names of the IANA time zone database, links included. moment-timezone's data, because it has all of them and follows the
// database's releases; `Intl` has names of its own (BST, SystemV/EST5), and takes them in any case.
import database from "moment-timezone/data/packed/latest.json" with { type: "json" };

/** Zones are packed as `name|…`, links as `target|name`: https://momentjs.com/timezone/docs/#/data-formats/packed-format/ */
export const timeZones = [
  ...database.zones.map((zone) => zone.split("|")[0]),
  ...database.links.map((link) => link.split("|")[1]),
].sort();
