/** Lists and traces on the screen follow the live calls. */

import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useLine } from "../phone/context";

/** A burst of changes makes one request. */
const SETTLED_MS = 400;

export function useFreshLists(): void {
  const queries = useQueryClient();
  const { live, gone } = useLine();
  const states = Object.values(live)
    .map((call) => `${call.id}/${call.state}`)
    .concat([...gone.keys()].slice(-1))
    .join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of any state is the trigger
  useEffect(() => {
    const timer = setTimeout(() => {
      void queries.invalidateQueries({ queryKey: ["calls"] });
      void queries.invalidateQueries({ queryKey: ["trace"] });
    }, SETTLED_MS);
    return () => clearTimeout(timer);
  }, [queries, states]);
}
