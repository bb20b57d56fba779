/** The phone for React: one context, and hooks that follow its stores. */

import { createContext, useContext, useSyncExternalStore } from "react";
import type { Me } from "../api/types";
import type { ControlState } from "./control";
import type { LegState } from "./legKeeper";
import type { Ownership } from "./owner";
import type { Phone } from "./phone";
import type { Preferences } from "./preferences";
import type { LineState } from "./reducer";
import type { StationState } from "./station";
import type { Store } from "./store";

export const PhoneContext = createContext<Phone | null>(null);

export function usePhone(): Phone {
  const phone = useContext(PhoneContext);
  if (phone === null) throw new Error("PhoneContext is missing");
  return phone;
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}

export const useLine = (): LineState => useStore(usePhone().line.state);
export const useStation = (): StationState => useStore(usePhone().station.state);
export const useLeg = (): LegState => useStore(usePhone().station.legs.state);
export const useControl = (): ControlState => useStore(usePhone().control.state);
export const useOwnership = (): Ownership => useStore(usePhone().owner.state);
export const usePreferences = (): Preferences => useStore(usePhone().preferences);

/** Who is signed in; only below a page that needs it. */
export function useMe(): Me {
  const { me } = useLine();
  if (me === null) throw new Error("nobody is signed in");
  return me;
}
