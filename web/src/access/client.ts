/** Routes of access: sessions, people, tokens, the audit. Loaded with the pages that need it. */

import { ask } from "../api/client";
import type { components } from "../api/schema";

type Schemas = components["schemas"];

export type Session = Schemas["SessionView"];
export type Person = Schemas["UserView"];
export type Token = Schemas["TokenView"];
export type TokenList = Schemas["TokenList"];
export type TokenOrder = Schemas["TokenOrder"];
export type TokenCreated = Schemas["TokenCreated"];
export type Scope = Schemas["Scope"];
export type AuditLine = Schemas["AuditLine"];
export type AuditPage = Schemas["AuditView"];

export interface AuditQuery {
  cursor?: string | undefined;
  action?: string | undefined;
  actor?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

const PAGE = 50;
const part = encodeURIComponent;

export const access = {
  ownSessions: (signal?: AbortSignal) =>
    ask<Schemas["SessionList"]>("GET", "/me/sessions", { signal }),
  endOwnSession: (id: string) => ask<void>("DELETE", `/me/sessions/${part(id)}`),
  endOtherSessions: () => ask<Schemas["SessionsEnded"]>("DELETE", "/me/sessions"),

  people: (signal?: AbortSignal) => ask<Schemas["UserList"]>("GET", "/users", { signal }),
  signOut: (userId: string) =>
    ask<Schemas["SessionsEnded"]>("DELETE", `/users/${part(userId)}/sessions`),

  tokens: (signal?: AbortSignal) => ask<TokenList>("GET", "/tokens", { signal }),
  createToken: (order: TokenOrder) => ask<TokenCreated>("POST", "/tokens", { body: order }),
  revokeToken: (id: string) => ask<void>("DELETE", `/tokens/${part(id)}`),

  audit: (query: AuditQuery, signal?: AbortSignal) => {
    const params = new URLSearchParams({ limit: String(PAGE) });
    for (const [name, value] of Object.entries(query)) {
      if (value) params.set(name, value);
    }
    return ask<AuditPage>("GET", `/audit?${params}`, { signal });
  },
};
