// What is true of every list with pages.
import fc from "fast-check";
import { expect } from "vitest";
import type { TestApi } from "../../support/api.ts";
import { bearer } from "../../support/records.ts";

interface Page {
  data: { id: string }[];
  total: number;
  offset: number;
  limit: number;
}

/** Reads a page that is not cached, in one query. */
export async function readPage(api: TestApi, path: string, token: string): Promise<Page> {
  const before = api.queries();
  const response = await api.fetch(path, bearer(token));
  expect([response.status, api.queries() - before]).toStrictEqual([200, 1]);
  return (await response.json()) as Page;
}

export const idsOf = ({ data }: Page) => data.map(({ id }) => id);

/** What lists are ordered by. Few values, so that many are equal. */
export interface Place {
  displayOrder: number;
  createdAt: Date;
}
const place: fc.Arbitrary<Place> = fc.record({
  displayOrder: fc.integer({ min: -1, max: 1 }),
  createdAt: fc.date({ min: new Date(0), max: new Date(5), noInvalidDate: true }),
});

/**
 * Fails unless all pages together have every row once, in the order of the list.
 *
 * @param write makes a list of rows; returns their ids in order, and reads a page of them
 */
export async function expectPagesInOrder(
  write: (places: Place[]) => Promise<{ expected: string[]; read: (query: string) => Promise<Page> }>,
): Promise<void> {
  const property = fc.asyncProperty(
    fc.array(place, { maxLength: 25 }),
    fc.integer({ min: 1, max: 12 }),
    async (places, limit) => {
      const { expected, read } = await write(places);
      const seen: string[] = [];
      for (let offset = 0; offset < expected.length + limit; offset += limit) {
        const page = await read(`?limit=${limit}&offset=${offset}`);
        const { length } = expected.slice(offset, offset + limit);
        expect(page).toMatchObject({ data: { length }, total: expected.length, offset, limit });
        seen.push(...idsOf(page));
      }
      expect(seen).toStrictEqual(expected);
    },
  );
  // The last by time is the first by display order.
  const opposed = [-1, 1].map((displayOrder) => ({ displayOrder, createdAt: new Date(-displayOrder + 1) }));
  await fc.assert(property, { numRuns: 5, examples: [[opposed, 1]] });
}
