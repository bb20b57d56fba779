import { describe, expect, it } from "vitest";
import { fieldTexts, placeOf, readable, type Step, stepOf } from "./trace";

function at(source: string, step: string, fields: Record<string, unknown> = {}): Step {
  return stepOf({ source, step, fields });
}

describe("a step of the trace", () => {
  it("goes between the lanes that its source names", () => {
    expect(at("webhook", "terminated")).toEqual({ from: "meta", to: "gateway" });
    expect(at("graph", "accept")).toEqual({ from: "gateway", to: "meta" });
    expect(at("agent", "hung_up")).toEqual({ from: "browser", to: "gateway" });
    expect(at("machine", "ended")).toEqual({ from: "gateway", to: "gateway" });
    expect(at("toString", "ended")).toEqual({ from: "gateway", to: "gateway" });
  });

  it("comes from Meta when it is Meta's answer", () => {
    expect(at("graph", "accepted")).toEqual({ from: "meta", to: "gateway" });
  });

  it("that starts a call comes from who called", () => {
    expect(at("machine", "started", { direction: "inbound" }).from).toBe("meta");
    expect(at("machine", "started", { direction: "outbound" }).from).toBe("browser");
  });

  it("is drawn from the middle of one lane to the middle of the other", () => {
    expect(placeOf({ from: "browser", to: "gateway" })).toEqual({
      left: 12.5,
      width: 25,
      isLeftward: false,
    });
    expect(placeOf({ from: "meta", to: "gateway" })).toEqual({
      left: 37.5,
      width: 50,
      isLeftward: true,
    });
    expect(placeOf({ from: "gateway", to: "gateway" }).width).toBe(0);
  });

  it("reads as words, with its fields as pairs", () => {
    expect(readable("pre_accept.sent")).toBe("pre accept sent");
    expect(readable("whatsapp_ice")).toBe("WhatsApp ICE");
    const fields = {
      http_status: 200,
      none: null,
      no: [],
      orders: ["a", "b"],
      nested: { a: 1 },
    };
    expect(fieldTexts(fields)).toEqual([
      ["http status", "200"],
      ["orders", "a, b"],
      ["nested", '{"a":1}'],
    ]);
  });
});
