/** Before recordings are kept for a shorter time: how many would go, and when. */

import { List, Skeleton, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Refused, refusalOf } from "../api/client";
import { type Forecast, keeping } from "../api/keeping";
import { formatMinutes, formatNumber } from "../i18n/format";
import { FinalDialog } from "../ui/FinalDialog";
import { Problem } from "../ui/Problem";
import { AHEAD_DAYS } from "./GoingSoon";

interface DialogProps {
  /** Null: two years. */
  days: number | null;
  save: () => void;
  isBusy: boolean;
  refused: Refused | null;
  onClose: () => void;
}

export function KeepingDialog({ days, save, isBusy, refused, onClose }: DialogProps) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState("");
  const { data, error } = useQuery({
    queryKey: ["keeping", "forecast", "if", days],
    queryFn: ({ signal }) => keeping.forecastIf(days, AHEAD_DAYS, signal),
    // What is confirmed has to be what is there now.
    staleTime: 0,
    gcTime: 0,
  });
  const gone = data?.at_once.recordings ?? 0;
  const isMeant = data !== undefined && (gone === 0 || typed.trim() === String(gone));
  const title =
    days === null ? t("keeping.ask_two_years") : t("keeping.ask_days", { count: days });
  return (
    <FinalDialog
      title={title}
      keep={t("keeping.leave")}
      deed={t("keeping.shorten")}
      isMeant={isMeant}
      isBusy={isBusy}
      onConfirm={save}
      onClose={onClose}
    >
      {error && <Problem title={t("keeping.going_failed")} refused={refusalOf(error)} />}
      {!data && !error && <Skeleton h={90} />}
      {data && <WouldGo forecast={data} />}
      {gone > 0 && (
        <>
          <Text fw={650}>{t("delete.final")}</Text>
          <TextInput
            label={t("delete.type", { count: gone })}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            inputMode="numeric"
          />
        </>
      )}
      {refused && <Problem title={t("record.not_saved")} refused={refused} />}
    </FinalDialog>
  );
}

function WouldGo({ forecast }: { forecast: Forecast }) {
  const { t } = useTranslation();
  const { at_once: now, going, kept } = forecast;
  const later = going.recordings - now.recordings;
  return (
    <List size="sm" spacing="xs" data-testid="would-go">
      <List.Item>
        {now.recordings === 0
          ? t("keeping.none_at_once")
          : t("keeping.at_once", {
              count: now.recordings,
              number: formatNumber(now.recordings),
              all: formatNumber(kept.recordings + kept.held),
              minutes: formatMinutes(now.returned_ms),
            })}
      </List.Item>
      {later > 0 && (
        <List.Item>
          {t("keeping.later", {
            count: later,
            number: formatNumber(later),
            days: AHEAD_DAYS,
          })}
        </List.Item>
      )}
      {going.held > 0 && <List.Item>{t("keeping.held_stay", { count: going.held })}</List.Item>}
    </List>
  );
}
