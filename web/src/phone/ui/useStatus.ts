/** Hooks that derive what several parts of the screen need. */

import { useEffect, useState } from "react";
import { useControl, useLeg, useLine, useOwnership, useStation } from "../context";
import { type Status, statusOf } from "../status";

export function useStatus(): Status {
  const line = useLine();
  const station = useStation();
  const leg = useLeg();
  const control = useControl();
  const ownership = useOwnership();
  return statusOf({ line, station, leg, control, ownership });
}

/** The server's clock, read twice a second. */
export function useServerNow(): number {
  const { clockOffsetMs } = useLine();
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return now + clockOffsetMs;
}
