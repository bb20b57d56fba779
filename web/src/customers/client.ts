/** What a customer may ask for as a person. For admins. */

import { archive } from "../api/archive";
import { ask } from "../api/client";
import type { components } from "../api/schema";
import { parseAddress } from "../phone/address";

type Schemas = components["schemas"];

export type CustomerFound = Schemas["CustomerFound"];
export type CustomerErased = Schemas["CustomerErased"];

/** One of them, or both. */
export interface Customer {
  phone?: string;
  user_id?: string;
}

/** Call by call; who waits shorter may begin again, nothing is done twice. */
const ERASED_WITHIN_MS = 180_000;
const FOUND_WITHIN_MS = 60_000;

export const customers = {
  find: (customer: Customer) =>
    ask<CustomerFound>("POST", "/customers/find", {
      body: customer,
      withinMs: FOUND_WITHIN_MS,
    }),
  export: (customer: Customer, onBytes: (bytes: number) => void) =>
    archive("/customers/export", customer, onBytes),
  erase: (customer: Customer) =>
    ask<CustomerErased>("POST", "/customers/erase", {
      body: { ...customer, confirm: true },
      withinMs: ERASED_WITHIN_MS,
    }),
};

export type CustomerFault = "phone" | "user_id" | "nobody";

/** Whom two fields name, or which of them is not filled in well. */
export function customerOf(phone: string, userId: string): Customer | CustomerFault {
  const customer: Customer = {};
  if (phone.trim() !== "") {
    const parsed = parseAddress(phone);
    if (!("to" in parsed) || parsed.to.phone === undefined) return "phone";
    customer.phone = parsed.to.phone;
  }
  if (userId.trim() !== "") {
    const parsed = parseAddress(userId);
    if (!("to" in parsed) || parsed.to.user_id === undefined) return "user_id";
    customer.user_id = parsed.to.user_id;
  }
  return customer.phone === undefined && customer.user_id === undefined ? "nobody" : customer;
}

/** What has to be typed before the customer is forgotten. */
export function nameToType({ phone, user_id }: Customer): string {
  return phone ?? user_id ?? "";
}
