import { describe, expect, it } from "vitest";
import { filtersInAddress } from "./filters";
import { type Filters, noFilters } from "./query";

const { read, write } = filtersInAddress;
const all: Filters = {
  since: "2026-02-06",
  until: "2026-03-01",
  agent: "a".repeat(26),
  direction: "inbound",
  customer: "+62 812 & more",
  minMinutes: 0,
  maxMinutes: 2.5,
  verdict: "matched",
  cutByQuota: true,
  held: true,
  note: "Refund? 50% #7",
  deleted: true,
};

describe("filters in the address", () => {
  it("come back as they were", () => {
    expect(read(new URLSearchParams(write(all).toString()))).toEqual(all);
  });

  it("leave nothing where there are none", () => {
    expect(write(noFilters).toString()).toBe("");
    expect(read(new URLSearchParams(""))).toEqual(noFilters);
  });

  it("are none where the address says nonsense", () => {
    const hostile =
      "since=yesterday&until=2026-13-45&agent=../x&direction=up&min=-1&max=1e99" +
      "&verdict=%3Cscript%3E&cut=yes&held=&deleted=2&min=NaN&other=1";
    expect(read(new URLSearchParams(hostile))).toEqual(noFilters);
  });

  it("are bounded in length", () => {
    expect(read(new URLSearchParams({ note: "x".repeat(10_000) })).note).toHaveLength(200);
  });
});
