/** Inbound or outbound, missed or not: as a picture with words for those who do not see it. */

import { useTranslation } from "react-i18next";
import type { Direction, Outcome } from "../api/types";
import { IconArrowDownLeft, IconArrowUpRight } from "./icons";

const unhappy: readonly (Outcome | null)[] = ["missed", "failed", "rejected", "unanswered"];

interface SignProps {
  direction: Direction;
  outcome: Outcome | null;
}

export function DirectionSign({ direction, outcome }: SignProps) {
  const { t } = useTranslation();
  const color = unhappy.includes(outcome) ? "var(--bad)" : "var(--good)";
  const Icon = direction === "inbound" ? IconArrowDownLeft : IconArrowUpRight;
  return (
    <span style={{ color, display: "inline-flex" }} title={t(`direction.${direction}`)}>
      <Icon size={20} aria-hidden />
      <span className="visually-hidden">{t(`direction.${direction}`)}</span>
    </span>
  );
}
