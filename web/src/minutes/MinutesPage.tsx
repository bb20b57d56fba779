/** How the account's recording minutes stand now, and which calls take them. */

import {
  Alert,
  Badge,
  Button,
  Group,
  Paper,
  Skeleton,
  Stack,
  Text,
  Title,
} from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, refusalOf } from "../api/client";
import type { Quota } from "../api/types";
import table from "../calls/CallTable.module.css";
import { formatClock, formatMinutes } from "../i18n/format";
import { useLine, useMe } from "../phone/context";
import { IconAlertTriangle } from "../ui/icons";
import { nameOf } from "../ui/names";
import { Problem } from "../ui/Problem";
import classes from "./MinutesPage.module.css";
import { newerOf, sharesOf } from "./quota";
import { UsageHistory } from "./UsageHistory";

export default function MinutesPage() {
  const { t } = useTranslation();
  const told = useLine().quota;
  const read = useQuery({
    queryKey: ["quota"],
    queryFn: ({ signal }) => api.quota(signal),
  });
  const quota = newerOf(told, read.data ?? null);
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Title order={1}>{t("minutes.title")}</Title>
        <Button component={Link} to="/recordings" variant="default" size="sm">
          {t("library.manage")}
        </Button>
      </Group>
      {quota === null && read.error && (
        <Problem title={t("minutes.failed")} refused={refusalOf(read.error)} />
      )}
      {quota === null && !read.error && <Skeleton h={240} />}
      {quota !== null && (
        <>
          <Balance quota={quota} />
          <Captures quota={quota} />
          <UsageHistory />
        </>
      )}
    </Stack>
  );
}

function Balance({ quota }: { quota: Quota }) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  const facts: [string, number][] = [
    [t("minutes.capacity"), quota.capacity_ms],
    [t("minutes.used"), quota.used_ms],
    [t("minutes.reserved"), quota.reserved_ms],
    [t("minutes.free"), quota.free_ms],
  ];
  if (quota.suspense_ms > 0) facts.push([t("minutes.suspense"), quota.suspense_ms]);
  return (
    <Paper component="section" withBorder p="lg" bg="var(--panel)" aria-labelledby="balance">
      <Stack gap="md">
        <Group justify="space-between" gap="sm">
          <Title order={2} id="balance">
            {t("minutes.balance")}
          </Title>
          {quota.empty_at !== null && (
            <Text size="sm" data-testid="empty-at">
              {t("minutes.empty_at", { time: formatClock(quota.empty_at, timezone) })}
            </Text>
          )}
        </Group>
        <Bar quota={quota} />
        <dl className={classes.facts}>
          {facts.map(([label, ms]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{formatMinutes(ms)}</dd>
            </div>
          ))}
        </dl>
        <Warning quota={quota} />
      </Stack>
    </Paper>
  );
}

/** Used, reserved and free as parts of a line; the list beside it says the same in figures. */
function Bar({ quota }: { quota: Quota }) {
  const { t } = useTranslation();
  return (
    <div className={classes.bar} role="img" aria-label={t("minutes.bar")}>
      {sharesOf(quota).map(({ part, percent }) => (
        <span key={part} data-part={part} style={{ width: `${percent}%` }} />
      ))}
    </div>
  );
}

function Warning({ quota }: { quota: Quota }) {
  const { t } = useTranslation();
  const sign = <IconAlertTriangle aria-hidden />;
  if (quota.overdrawn_ms > 0) {
    return (
      <Alert color="red" variant="light" icon={sign} role="status">
        {t("minutes.overdrawn", { time: formatMinutes(quota.overdrawn_ms) })}
      </Alert>
    );
  }
  if (quota.level === 0) return null;
  return (
    <Alert
      color={quota.level === 100 ? "red" : "orange"}
      variant="light"
      icon={sign}
      role="status"
    >
      {t(`minutes.level.${quota.level}`)}
    </Alert>
  );
}

function Captures({ quota }: { quota: Quota }) {
  const { t } = useTranslation();
  const { live } = useLine();
  return (
    <Paper component="section" withBorder bg="var(--panel)" aria-labelledby="captures">
      <Title order={2} id="captures" p="lg" pb="xs">
        {t("minutes.captures")}
      </Title>
      {quota.captures.length === 0 ? (
        <Text p="lg" pt={0} c="var(--quiet)">
          {t("minutes.none")}
        </Text>
      ) : (
        <table className={table.table} aria-labelledby="captures">
          <thead>
            <tr>
              <th scope="col">{t("list.person")}</th>
              <th scope="col">{t("list.agent")}</th>
              <th scope="col">{t("minutes.taken")}</th>
              <th scope="col">{t("minutes.state")}</th>
            </tr>
          </thead>
          <tbody>
            {quota.captures.map(({ call_id, written_ms, stopped }) => {
              const call = live[call_id];
              return (
                <tr key={call_id}>
                  <td>
                    <Link to={`/calls/${call_id}`}>
                      {call === undefined ? t("person.unknown") : nameOf(call.peer, t)}
                    </Link>
                  </td>
                  <td data-label={t("list.agent")}>{call?.agent?.name ?? "–"}</td>
                  <td data-label={t("minutes.taken")}>{formatMinutes(written_ms)}</td>
                  <td data-label={t("minutes.state")}>
                    <Badge
                      variant={stopped ? "light" : "filled"}
                      color={stopped ? "red" : "brand"}
                    >
                      {stopped ? t("minutes.stopped") : t("minutes.recording")}
                    </Badge>
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </Paper>
  );
}
