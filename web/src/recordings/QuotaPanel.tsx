/** How many recording minutes are left, and where to see more: for supervisors and admins. */

import { Anchor, Group, Paper, Progress, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api } from "../api/client";
import { formatMinutes } from "../i18n/format";
import { newerOf } from "../minutes/quota";
import { useLine, useMe } from "../phone/context";

const FULL = 100;
const NEARLY = 95;

export function QuotaPanel({ isOnRecordings = false }: { isOnRecordings?: boolean }) {
  const { t } = useTranslation();
  const isLead = useMe().user.role !== "agent";
  const told = useLine().quota;
  const read = useQuery({
    queryKey: ["quota"],
    queryFn: ({ signal }) => api.quota(signal),
    enabled: isLead,
  });
  const quota = newerOf(told, read.data ?? null);
  if (!isLead || quota === null || quota.capacity_ms === 0) return null;
  const percent = Math.min(FULL, (quota.used_ms / quota.capacity_ms) * FULL);
  return (
    <Paper
      component="section"
      withBorder
      p="md"
      bg="var(--panel)"
      aria-label={t("library.quota")}
      data-testid="quota-panel"
    >
      <Group justify="space-between" gap="sm">
        <Text size="sm">
          <strong data-testid="free-minutes">{formatMinutes(quota.free_ms)}</strong>{" "}
          {t("library.left_of", { minutes: formatMinutes(quota.capacity_ms) })}
        </Text>
        <Group gap="md">
          <Anchor component={Link} to="/minutes" size="sm">
            {t("library.view_usage")}
          </Anchor>
          {!isOnRecordings && (
            <Anchor component={Link} to="/recordings" size="sm">
              {t("library.manage")}
            </Anchor>
          )}
        </Group>
      </Group>
      <Progress
        mt="xs"
        value={percent}
        color={percent >= NEARLY ? "red" : "brand"}
        aria-label={t("library.used_share")}
      />
    </Paper>
  );
}
