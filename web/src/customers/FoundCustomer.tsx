/** What is kept of a customer, and what can be done with it. */

import { Alert, Anchor, Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { refusalOf } from "../api/client";
import { formatBytes, formatMoment } from "../i18n/format";
import { formatPhone } from "../phone/address";
import { useMe } from "../phone/context";
import { IconDownload, IconTrash } from "../ui/icons";
import { Problem } from "../ui/Problem";
import { save } from "../ui/save";
import {
  type Customer,
  type CustomerErased,
  type CustomerFound,
  customers,
  nameToType,
} from "./client";
import { EraseDialog } from "./EraseDialog";

interface FoundProps {
  customer: Customer;
  found: CustomerFound;
  onErased: (done: CustomerErased) => void;
}

export function FoundCustomer({ customer, found, onErased }: FoundProps) {
  const { t } = useTranslation();
  const [isAsking, setAsking] = useState(false);
  if (found.calls === 0) {
    return (
      <Paper withBorder p="xl" bg="var(--panel)" role="status">
        <Text ta="center" c="var(--quiet)">
          {t("customers.nothing")}
        </Text>
      </Paper>
    );
  }
  return (
    <Paper component="section" withBorder p="lg" bg="var(--panel)" aria-labelledby="found">
      <Stack gap="md" maw={680}>
        <Title order={2} id="found">
          {found.names.length > 0 ? found.names.join(", ") : nameOf(customer)}
        </Title>
        <Facts found={found} />
        <Stays customer={customer} found={found} />
        <Group gap="sm" align="start">
          <Copy customer={customer} found={found} />
          <Button
            color="red"
            variant="light"
            leftSection={<IconTrash size={18} aria-hidden />}
            onClick={() => setAsking(true)}
          >
            {t("customers.erase")}
          </Button>
        </Group>
      </Stack>
      {isAsking && (
        <EraseDialog
          customer={customer}
          found={found}
          onClose={() => setAsking(false)}
          onErased={(done) => {
            setAsking(false);
            onErased(done);
          }}
        />
      )}
    </Paper>
  );
}

function nameOf({ phone, user_id }: Customer): string {
  return phone === undefined ? (user_id ?? "") : formatPhone(phone);
}

function Facts({ found }: { found: CustomerFound }) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  const { first_at: first, last_at: last } = found;
  return (
    <div data-testid="found">
      <Text size="sm">{t("customers.calls", { count: found.calls })}</Text>
      {first !== null && last !== null && (
        <Text size="sm" c="var(--quiet)">
          {t("customers.between", {
            first: formatMoment(first, timezone),
            last: formatMoment(last, timezone),
          })}
        </Text>
      )}
      <Text size="sm">
        {t("customers.recordings", {
          count: found.recordings,
          size: formatBytes(found.bytes),
        })}
      </Text>
    </div>
  );
}

/** What a legal hold keeps, and where it is released. */
function Stays({ customer, found }: { customer: Customer; found: CustomerFound }) {
  const { t } = useTranslation();
  if (found.held === 0 && found.not_over === 0) return null;
  const held = new URLSearchParams({ customer: nameToType(customer), held: "1" });
  return (
    <Alert variant="light" color="yellow">
      {found.held > 0 && (
        <Text size="sm">
          {t("customers.held", { count: found.held })}{" "}
          <Anchor component={Link} to={`/recordings?${held}`} size="sm" underline="always">
            {t("customers.show_held")}
          </Anchor>
        </Text>
      )}
      {found.not_over > 0 && (
        <Text size="sm">{t("customers.not_over", { count: found.not_over })}</Text>
      )}
    </Alert>
  );
}

function Copy({ customer, found }: { customer: Customer; found: CustomerFound }) {
  const { t } = useTranslation();
  const [bytes, setBytes] = useState(0);
  const copy = useMutation({
    mutationFn: () => customers.export(customer, setBytes),
    onMutate: () => setBytes(0),
    onSuccess: (archive) => save(archive, "customer.zip"),
  });
  return (
    <Stack gap="xs">
      <Group gap="sm">
        <Button
          leftSection={<IconDownload size={18} aria-hidden />}
          loading={copy.isPending}
          disabled={!found.fits}
          onClick={() => copy.mutate()}
        >
          {t("customers.export")}
        </Button>
        <Text size="sm" c="var(--quiet)" role="status">
          {copy.isPending && t("customers.coming", { size: formatBytes(bytes) })}
          {copy.isSuccess && t("customers.exported", { size: formatBytes(copy.data.size) })}
        </Text>
      </Group>
      {!found.fits && <Text size="sm">{t("customers.too_large")}</Text>}
      {copy.error && (
        <Problem title={t("customers.export_failed")} refused={refusalOf(copy.error)} />
      )}
    </Stack>
  );
}
