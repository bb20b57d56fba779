/** The browsers in which this person is signed in. */

import { Badge, Button, Group, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import table from "../calls/CallTable.module.css";
import { formatMoment } from "../i18n/format";
import { useMe } from "../phone/context";
import { Problem } from "../ui/Problem";
import { browserName } from "./browserName";
import { access, type Session } from "./client";

export default function SessionsPage() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const list = useQuery({
    queryKey: ["sessions"],
    queryFn: ({ signal }) => access.ownSessions(signal),
  });
  const again = (): Promise<void> => queries.invalidateQueries({ queryKey: ["sessions"] });
  const endOne = useMutation({
    mutationFn: (id: string) => access.endOwnSession(id),
    onSuccess: again,
  });
  const endOthers = useMutation({
    mutationFn: () => access.endOtherSessions(),
    onSuccess: again,
  });
  const error = list.error ?? endOne.error ?? endOthers.error;
  const items = list.data?.items ?? [];
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Title order={1}>{t("access.sessions")}</Title>
        <Button
          variant="default"
          disabled={items.length < 2}
          loading={endOthers.isPending}
          onClick={() => endOthers.mutate()}
        >
          {t("access.end_others")}
        </Button>
      </Group>
      <Text c="var(--quiet)">{t("access.sessions_hint")}</Text>
      {error && <Problem title={t("access.failed")} refused={refusalOf(error)} />}
      {list.isPending && <Skeleton h={160} />}
      {items.length > 0 && (
        <Paper withBorder bg="var(--panel)">
          <table className={table.table} aria-label={t("access.sessions")}>
            <thead>
              <tr>
                <th scope="col">{t("access.browser")}</th>
                <th scope="col">{t("access.since")}</th>
                <th scope="col">{t("access.last_seen")}</th>
                <th scope="col">
                  <span className={table.quiet}>{t("access.actions")}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map((session) => (
                <Row
                  key={session.id}
                  session={session}
                  isBusy={endOne.isPending}
                  onEnd={() => endOne.mutate(session.id)}
                />
              ))}
            </tbody>
          </table>
        </Paper>
      )}
    </Stack>
  );
}

interface RowProps {
  session: Session;
  isBusy: boolean;
  onEnd: () => void;
}

function Row({ session, isBusy, onEnd }: RowProps) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  const name = browserName(session.browser) ?? t("access.unknown_browser");
  return (
    <tr>
      <td data-label={t("access.browser")}>
        <span title={session.browser}>{name}</span>
      </td>
      <td data-label={t("access.since")}>{formatMoment(session.created_at, timezone)}</td>
      <td data-label={t("access.last_seen")}>{formatMoment(session.last_seen_at, timezone)}</td>
      <td>
        {session.current ? (
          <Badge color="green" variant="dot">
            {t("access.here")}
          </Badge>
        ) : (
          <Button
            size="compact-sm"
            variant="default"
            disabled={isBusy}
            aria-label={t("access.end_named", { name })}
            onClick={onEnd}
          >
            {t("access.end")}
          </Button>
        )}
      </td>
    </tr>
  );
}
