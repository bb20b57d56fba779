/** Colleagues who are here, and what they are doing. */

import { Badge, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { PresenceState } from "../../api/types";
import { useLine, useMe } from "../context";
import classes from "./History.module.css";

const colors: Record<PresenceState, string> = {
  available: "green",
  busy: "blue",
  ringing: "orange",
  away: "gray.5",
  offline: "gray.5",
};

export function Team() {
  const { t } = useTranslation();
  const { presence } = useLine();
  const me = useMe().user.id;
  const people = Object.values(presence).sort((a, b) => a.name.localeCompare(b.name));
  return (
    <Paper component="section" withBorder p="lg" className={classes.panel}>
      <Stack gap="sm">
        <Title order={2}>{t("team.title")}</Title>
        {people.length === 0 && (
          <Text size="sm" c="var(--quiet)">
            {t("team.none")}
          </Text>
        )}
        <ul className={classes.list}>
          {people.map(({ user_id, name, state }) => (
            <Group key={user_id} component="li" justify="space-between" py={4} wrap="nowrap">
              <Text size="sm" truncate>
                {name}
                {user_id === me && ` (${t("team.you")})`}
              </Text>
              <Badge variant="dot" color={colors[state]} className={classes.badge}>
                {t(`team.${state}`)}
              </Badge>
            </Group>
          ))}
        </ul>
      </Stack>
    </Paper>
  );
}
