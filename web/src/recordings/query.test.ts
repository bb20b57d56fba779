import { describe, expect, it } from "vitest";
import type { RecordingItem } from "../api/library";
import { deletable, noFilters, queryOf, totalMs } from "./query";

const item = (changes: Partial<RecordingItem>): RecordingItem =>
  ({
    id: "a",
    duration_ms: 61_000,
    hold: null,
    state: "available",
    ...changes,
  }) as RecordingItem;

describe("the filters of recordings", () => {
  it("ask for nothing when nothing was chosen", () => {
    const asked = Object.values(queryOf(noFilters) ?? { x: 1 });
    expect(asked.every((value) => value === undefined)).toBe(true);
  });

  it("ask for what was typed", () => {
    const query = queryOf({
      ...noFilters,
      since: "2026-11-01",
      customer: "+62 812-3456-7890",
      direction: "inbound",
      minMinutes: 1.5,
      cutByQuota: true,
      note: "  refund ",
      deleted: true,
    });
    expect(query).toMatchObject({
      since: "2026-11-01",
      phone: "6281234567890",
      direction: "inbound",
      min_duration_ms: 90_000,
      cut_by_quota: true,
      note: "refund",
      state: "trashed",
    });
  });

  it("take a user id for a customer", () => {
    expect(queryOf({ ...noFilters, customer: "ID.1349" })).toMatchObject({
      user_id: "ID.1349",
    });
  });

  it("wait until a number is whole", () => {
    expect(queryOf({ ...noFilters, customer: "62" })).toBeNull();
  });
});

describe("what is selected", () => {
  it("adds up", () => {
    expect(totalMs([item({}), item({ duration_ms: 9 })])).toBe(61_009);
  });

  it("is deleted but for what is held or gone", () => {
    const held = item({ id: "b", hold: { at: "", by: null, why: "case" } });
    expect(deletable([item({}), held, item({ id: "c", state: "trashed" })])).toEqual([
      item({}),
    ]);
  });
});
