/** The kinds of deeds that have words; an older or newer gateway may tell of others. */

export const deeds = [
  "session.created",
  "session.refused",
  "session.ended",
  "sessions.revoked",
  "token.created",
  "token.first_used",
  "token.revoked",
  "user.added",
  "user.disabled",
  "user.enabled",
  "user.password_changed",
  "account.added",
  "account.records_changed",
  "number.added",
  "number.token_changed",
  "number.records_changed",
  "settings.calls_changed",
  "announcement.changed",
  "announcement.deleted",
  "quota.changed",
  "recording.played",
  "recording.downloaded",
  "recordings.exported",
  "recording.noted",
  "recording.deleted",
  "recording.rotated",
  "recording.purged",
  "recording.held",
  "recording.released",
  "transcript.read",
  "evidence.downloaded",
  "report.downloaded",
  "customer.exported",
  "customer.erased",
] as const;
export type Deed = (typeof deeds)[number];

const ABOUT_CALLS = /^(recording|transcript|evidence)\./;

export function isDeed(action: string): action is Deed {
  return (deeds as readonly string[]).includes(action);
}

export function isAboutCall(action: string): boolean {
  return ABOUT_CALLS.test(action);
}

type Key<D extends string> = D extends `${infer A}.${infer B}` ? `${A}_${B}` : D;

/** The name of its words: dots part groups of texts. */
export function keyOf<D extends Deed>(deed: D): Key<D> {
  return deed.replace(".", "_") as Key<D>;
}
