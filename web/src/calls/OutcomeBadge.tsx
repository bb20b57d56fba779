/** How a call ended, in a word and a colour. */

import { Badge } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Outcome } from "../api/types";
import { outcomeText } from "../ui/names";

const colors: Record<Outcome, string> = {
  completed: "green",
  missed: "red",
  declined: "gray.5",
  rejected: "orange",
  unanswered: "orange",
  cancelled: "gray.5",
  failed: "red",
};

export function OutcomeBadge({ outcome }: { outcome: Outcome | null }) {
  const { t } = useTranslation();
  return (
    <Badge variant="dot" color={outcome === null ? "gray.5" : colors[outcome]}>
      {outcomeText(outcome, t)}
    </Badge>
  );
}
