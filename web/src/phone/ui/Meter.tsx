/** How loud the microphone is, drawn straight into the page so that nothing re-renders. */

import { useEffect, useRef } from "react";
import { usePhone } from "../context";
import { meterOf } from "../speech";
import classes from "./Meter.module.css";

const EVERY_MS = 60;

export function Meter({ label }: { label: string }) {
  const { station } = usePhone();
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const timer = setInterval(() => {
      const level = meterOf(station.level());
      bar.current?.style.setProperty("--level", level.toFixed(2));
      bar.current?.setAttribute("aria-valuenow", String(Math.round(level * 100)));
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [station]);
  return (
    // biome-ignore lint/a11y/useSemanticElements: <meter> cannot be drawn alike in all browsers
    <div
      ref={bar}
      className={classes.meter}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={0}
    >
      <div className={classes.fill} />
    </div>
  );
}
