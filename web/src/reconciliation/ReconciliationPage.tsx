/** What of the recordings is open or at risk, and how official and own ones compare by day. */

import { Stack, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { DayReport } from "./DayReport";
import { OpenList } from "./OpenList";

export default function ReconciliationPage() {
  const { t } = useTranslation();
  return (
    <Stack gap="md">
      <Title order={1}>{t("reconciliation.title")}</Title>
      <OpenList />
      <DayReport />
    </Stack>
  );
}
