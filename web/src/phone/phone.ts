/** The one place where the parts of the phone are made and joined. */

import { api, whenSignedOut } from "../api/client";
import { Alerts, type AlertWords } from "./alerts";
import { Control } from "./control";
import { Line } from "./line";
import { Owner } from "./owner";
import { openPreferences, type Preferences } from "./preferences";
import { Sound } from "./sound";
import { Station } from "./station";
import type { Store } from "./store";

export interface Phone {
  preferences: Store<Preferences>;
  line: Line;
  owner: Owner;
  sound: Sound;
  station: Station;
  control: Control;
  alerts: Alerts;
  /** Connect, after signing in. */
  start: () => void;
  /** End the session and let go of everything. */
  signOut: () => Promise<void>;
}

/** Make the phone of this page; once. */
export function makePhone(words: AlertWords): Phone {
  const preferences = openPreferences(window.localStorage);
  const sound = new Sound(preferences);
  const line = new Line();
  const control = new Control();
  const station = new Station(line, sound, preferences, {
    attach: control.attach,
    isHere: () => control.state.get().callHere !== null,
  });
  const owner = new Owner(({ callId }) => void control.answer(callId));
  control.connect(line, station, owner);
  const alerts = new Alerts(line, owner, station, sound, words);
  loseWithTheLock(owner, station);
  guardLeaving(control, station);
  whenSignedOut(() => line.signedOut());

  return {
    preferences,
    line,
    owner,
    sound,
    station,
    control,
    alerts,
    start: () => {
      line.start();
      owner.start();
    },
    signOut: async () => {
      station.leave();
      owner.stop();
      // Whether or not the gateway hears of it, this browser is signed out for its person.
      await api.logout().catch(() => undefined);
      line.signedOut();
    },
  };
}

/** A tab that lost the phone to another must neither ring nor hold a leg. */
function loseWithTheLock(owner: Owner, station: Station): void {
  let wasHere = false;
  let wasElsewhere = false;
  owner.state.subscribe(() => {
    const now = owner.state.get();
    if (wasHere && now === "elsewhere") station.leave();
    if (now === "here" && wasElsewhere && station.state.get().phase === "off") {
      // The tab that had the phone is gone without a word: nobody can ring there any more.
      void api.setAvailability("away").catch(() => undefined);
    }
    wasHere = now === "here";
    wasElsewhere = now === "elsewhere";
  });
}

function guardLeaving(control: Control, station: Station): void {
  window.addEventListener("beforeunload", (event) => {
    if (control.state.get().callHere !== null) event.preventDefault();
  });
  window.addEventListener("pagehide", () => {
    station.pageHides();
  });
  // A page that comes back from the back/forward cache has lost its leg and its socket.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });
}
