/** What goes by itself in the next days, under the rules in force. */

import { Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import { type Forecast, keeping } from "../api/keeping";
import table from "../calls/CallTable.module.css";
import { formatDay, formatMinutes, formatNumber } from "../i18n/format";
import { Problem } from "../ui/Problem";

export const AHEAD_DAYS = 30;

export function GoingSoon() {
  const { t } = useTranslation();
  const { data, error } = useQuery({
    queryKey: ["keeping", "forecast", AHEAD_DAYS],
    queryFn: ({ signal }) => keeping.forecast(AHEAD_DAYS, signal),
  });
  return (
    <Stack gap="xs" component="section" aria-labelledby="going">
      <Title order={3} size="0.95rem" id="going">
        {t("keeping.going", { days: AHEAD_DAYS })}
      </Title>
      {error && <Problem title={t("keeping.going_failed")} refused={refusalOf(error)} />}
      {data && <Told forecast={data} />}
    </Stack>
  );
}

function Told({ forecast }: { forecast: Forecast }) {
  const { t } = useTranslation();
  const { going, days } = forecast;
  return (
    <>
      <Text size="sm" data-testid="going">
        {going.recordings === 0
          ? t("keeping.none_goes")
          : t("keeping.goes", {
              count: going.recordings,
              number: formatNumber(going.recordings),
              minutes: formatMinutes(going.returned_ms),
            })}{" "}
        {going.held > 0 && t("keeping.held_stay", { count: going.held })}
      </Text>
      {days.length > 0 && (
        <details>
          <Text component="summary" size="sm" style={{ cursor: "pointer" }}>
            {t("keeping.by_day")}
          </Text>
          <table className={table.table} aria-labelledby="going">
            <thead>
              <tr>
                <th scope="col">{t("keeping.day")}</th>
                <th scope="col">{t("keeping.recordings")}</th>
                <th scope="col">{t("keeping.minutes")}</th>
                <th scope="col">{t("keeping.held")}</th>
              </tr>
            </thead>
            <tbody>
              {days.map((day) => (
                <tr key={day.on}>
                  <td data-label={t("keeping.day")}>{formatDay(day.on)}</td>
                  <td data-label={t("keeping.recordings")}>{formatNumber(day.recordings)}</td>
                  <td data-label={t("keeping.minutes")}>{formatMinutes(day.returned_ms)}</td>
                  <td data-label={t("keeping.held")}>{formatNumber(day.held)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </>
  );
}
