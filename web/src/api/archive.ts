/** Archives that are asked for with a body, which no link can do. */

import { problemIn, Refused, ROOT } from "./client";

/**
 * It takes as long as it takes: no time-out. `onBytes` hears how much has come; the browser
 * keeps it on disk until it is saved.
 */
export async function archive(
  path: string,
  body: unknown,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Blob> {
  const response = await fetch(ROOT + path, {
    method: "POST",
    credentials: "same-origin",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }).catch((error: unknown) => {
    throw new Refused(0, { code: "unreachable", detail: String(error) });
  });
  if (!response.ok) throw new Refused(response.status, await problemIn(response));
  let bytes = 0;
  const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform: (chunk, out) => {
      bytes += chunk.byteLength;
      onBytes(bytes);
      out.enqueue(chunk);
    },
  });
  const counted = response.body?.pipeThrough(counter) ?? null;
  return new Response(counted, { headers: response.headers }).blob().catch((error: unknown) => {
    throw new Refused(0, { code: "broken_off", detail: String(error) });
  });
}
