/** What was forgotten of a customer, and what could not be. */

import { Alert, Anchor, List, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { CustomerErased } from "./client";

const SHOWN_MAX = 20;

export function Erased({ done }: { done: CustomerErased }) {
  const { t } = useTranslation();
  return (
    <Alert
      role="status"
      variant="light"
      color={done.complete ? "green" : "yellow"}
      title={done.complete ? t("customers.erased") : t("customers.erased_in_part")}
    >
      <Stack gap="xs">
        <Text size="sm">
          {t("customers.erased_calls", { count: done.calls })}{" "}
          {t("customers.erased_recordings", { count: done.recordings })}
        </Text>
        <Calls title={t("customers.held", { count: done.held.length })} ids={done.held} />
        <Calls
          title={t("customers.not_over", { count: done.not_over.length })}
          ids={done.not_over}
        />
      </Stack>
    </Alert>
  );
}

function Calls({ title, ids }: { title: string; ids: readonly string[] }) {
  const { t } = useTranslation();
  if (ids.length === 0) return null;
  return (
    <div>
      <Text size="sm">{title}</Text>
      <List size="sm">
        {ids.slice(0, SHOWN_MAX).map((id) => (
          <List.Item key={id}>
            <Anchor component={Link} to={`/calls/${id}`} size="sm" underline="always">
              {t("customers.call", { id })}
            </Anchor>
          </List.Item>
        ))}
      </List>
      {ids.length > SHOWN_MAX && <Text size="sm">…</Text>}
    </div>
  );
}
