/** Single keys for what must go fast; never while a person types, and they can be switched off. */

import { useEffect } from "react";
import { offers, ownCall } from "../calls";
import { usePhone, usePreferences } from "../context";
import { deedOf, type KeyDeed } from "../keys";
import type { Phone } from "../phone";

export function useShortcuts(onHelp: () => void): void {
  const phone = usePhone();
  const { shortcuts } = usePreferences();
  useEffect(() => {
    if (!shortcuts) return;
    const press = (event: KeyboardEvent): void => {
      const deed = deedOf(event);
      if (deed === null) return;
      event.preventDefault();
      if (deed === "help") onHelp();
      else carryOut(deed, phone);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [phone, shortcuts, onHelp]);
}

/** Keys act on what is there: without a fitting call they do nothing. */
function carryOut(deed: Exclude<KeyDeed, "help">, phone: Phone): void {
  const line = phone.line.state.get();
  const own = ownCall(line);
  if (own === null) {
    const offered = offers(line)[0];
    if (offered !== undefined) actOnOffer(deed, offered.id, phone);
    return;
  }
  const { control } = phone;
  const shown = control.state.get();
  if (deed === "hang_up") void control.hangUp();
  if (own.state !== "talking") return;
  if (deed === "mute") void control.mute(!(shown.muted ?? own.muted));
  if (deed === "hold") void control.hold(!(shown.held ?? own.held));
}

function actOnOffer(deed: KeyDeed, callId: string, { control, station, owner }: Phone): void {
  const isReady = station.state.get().phase === "ready";
  const canAnswer = isReady || owner.state.get() === "elsewhere";
  if (deed === "answer" && canAnswer) void control.answer(callId);
  if (deed === "decline") void control.decline(callId);
}
