import { describe, expect, it } from "vitest";
import { formatPhone, parseAddress } from "./address";

describe("an address", () => {
  it.each([
    ["+62 812-3456-7890", "6281234567890"],
    ["0062 812 3456 7890", "6281234567890"],
    ["62 (812) 3456.7890", "6281234567890"],
    ["tel:+6281234567890", "6281234567890"],
    ["\u202a+62 812\u00a03456 7890\u202c", "6281234567890"],
    ["1 415 555 2671", "14155552671"],
  ])("%s is the phone number %s", (typed, phone) => {
    expect(parseAddress(typed)).toEqual({ to: { phone } });
  });

  it.each(["ID.13491208655302741918", "US.ENT.9a8B7c", "BR.abc"])(
    "%s is a business-scoped user id, letters and all",
    (typed) => {
      expect(parseAddress(` ${typed} `)).toEqual({ to: { user_id: typed } });
    },
  );

  it.each([
    ["", "empty"],
    ["   ", "empty"],
    ["0812 3456 7890", "no_country_code"],
    ["+0812 3456 7890", "no_country_code"],
    ["12345", "too_short"],
    ["1234567890123456", "too_long"],
    ["budi", "not_a_number"],
    ["62812 ext 5", "not_a_number"],
    ["id.134", "not_a_number"],
    ["ID.", "not_a_number"],
    [`ID.${"x".repeat(129)}`, "not_a_number"],
  ])("%s is refused as %s", (typed, fault) => {
    expect(parseAddress(typed)).toEqual({ fault });
  });
});

describe("a phone number on the screen", () => {
  it.each([
    ["6281234567890", "+62 812 3456 7890"],
    ["14155552671", "+1 415 555 2671"],
    ["622155501", "+62 215 5501"],
    ["35312345678", "+353 123 45678"],
  ])("%s reads %s", (digits, text) => {
    expect(formatPhone(digits)).toBe(text);
  });

  it("keeps every digit", () => {
    for (const digits of [
      "6281234567890",
      "85212345678",
      "4915112345678",
      "12",
      "998901234567",
    ]) {
      expect(formatPhone(digits).replace(/\D/g, "")).toBe(digits);
    }
  });
});
