import { describe, expect, it } from "vitest";
import { customerOf, nameToType } from "./client";

describe("a customer who asks for their data", () => {
  it("is named by a number, by a user id, or by both", () => {
    expect(customerOf("+62 811-1222-333", "")).toEqual({ phone: "628111222333" });
    expect(customerOf("", " ID.1349 ")).toEqual({ user_id: "ID.1349" });
    expect(customerOf("628111222333", "ID.1349")).toEqual({
      phone: "628111222333",
      user_id: "ID.1349",
    });
  });

  it.each([
    ["", " ", "nobody"],
    ["0811222333", "", "phone"],
    ["ID.1349", "", "phone"],
    ["", "628111222333", "user_id"],
    ["", "*", "user_id"],
    ["628111222333", "budi", "user_id"],
  ])("is not named by %j and %j", (phone, userId, fault) => {
    expect(customerOf(phone, userId)).toBe(fault);
  });

  it("is forgotten only when the number, or else the user id, is typed again", () => {
    expect(nameToType({ phone: "628111222333", user_id: "ID.1349" })).toBe("628111222333");
    expect(nameToType({ user_id: "ID.1349" })).toBe("ID.1349");
  });
});
