/** API tokens: made here, shown once, revoked at once. */

import { Badge, Button, Group, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import table from "../calls/CallTable.module.css";
import { formatMoment } from "../i18n/format";
import { useMe } from "../phone/context";
import { Problem } from "../ui/Problem";
import { Confirm } from "./Confirm";
import { access, type Token } from "./client";
import { NewToken } from "./NewToken";

const COLOURS = { live: "green", expired: "gray", revoked: "gray" } as const;

export function Tokens() {
  const { t } = useTranslation();
  const [isMaking, making] = useDisclosure(false);
  const [going, setGoing] = useState<Token | null>(null);
  const list = useQuery({
    queryKey: ["tokens"],
    queryFn: ({ signal }) => access.tokens(signal),
  });
  return (
    <Paper component="section" withBorder bg="var(--panel)" aria-labelledby="tokens">
      <Group justify="space-between" p="lg" gap="sm">
        <Stack gap={4}>
          <Title order={2} id="tokens">
            {t("access.tokens")}
          </Title>
          <Text size="sm" c="var(--quiet)">
            {t("access.tokens_hint")}
          </Text>
        </Stack>
        <Button onClick={making.open} disabled={!list.data}>
          {t("access.new_token")}
        </Button>
      </Group>
      {list.error && <Problem title={t("access.failed")} refused={refusalOf(list.error)} />}
      {list.isPending && <Skeleton h={120} m="lg" />}
      {list.data?.items.length === 0 && (
        <Text p="lg" pt={0} c="var(--quiet)">
          {t("access.no_tokens")}
        </Text>
      )}
      {list.data && list.data.items.length > 0 && (
        <TokenTable tokens={list.data.items} onRevoke={setGoing} />
      )}
      {isMaking && list.data && (
        <NewToken daysMax={list.data.days_max} onClose={making.close} />
      )}
      {going && <Revoke token={going} onClose={() => setGoing(null)} />}
    </Paper>
  );
}

interface TableProps {
  tokens: readonly Token[];
  onRevoke: (token: Token) => void;
}

function TokenTable({ tokens, onRevoke }: TableProps) {
  const { t } = useTranslation();
  return (
    <table className={table.table} aria-labelledby="tokens">
      <thead>
        <tr>
          <th scope="col">{t("access.name")}</th>
          <th scope="col">{t("access.scopes")}</th>
          <th scope="col">{t("access.expires")}</th>
          <th scope="col">{t("access.last_used")}</th>
          <th scope="col">{t("access.state")}</th>
          <th scope="col">
            <span className={table.quiet}>{t("access.actions")}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {tokens.map((token) => (
          <Row key={token.id} token={token} onRevoke={onRevoke} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ token, onRevoke }: { token: Token; onRevoke: (token: Token) => void }) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  const used = token.last_used_at;
  return (
    <tr>
      <td data-label={t("access.name")}>
        <div>
          {token.name}
          <span className={table.quiet}>
            <code>{token.prefix}…</code>
            {token.acts_for && ` · ${t("access.acts_for", { name: token.acts_for.name })}`}
          </span>
        </div>
      </td>
      <td data-label={t("access.scopes")}>
        {token.scopes.map((scope) => t(`access.scope.${scopeKey(scope)}`)).join(", ")}
      </td>
      <td data-label={t("access.expires")}>{formatMoment(token.expires_at, timezone)}</td>
      <td data-label={t("access.last_used")}>
        {used === null ? t("access.never") : formatMoment(used, timezone)}
      </td>
      <td data-label={t("access.state")}>
        <Badge color={COLOURS[token.state]} variant="dot">
          {t(`access.token_state.${token.state}`)}
        </Badge>
      </td>
      <td>
        {token.state === "live" && (
          <Button
            size="compact-sm"
            variant="default"
            aria-label={t("access.revoke_named", { name: token.name })}
            onClick={() => onRevoke(token)}
          >
            {t("access.revoke")}
          </Button>
        )}
      </td>
    </tr>
  );
}

/** Dots part groups of texts, so a scope is named without. */
export function scopeKey<S extends string>(
  scope: S,
): S extends `${infer A}.${infer B}` ? `${A}_${B}` : S {
  return scope.replace(".", "_") as ReturnType<typeof scopeKey<S>>;
}

function Revoke({ token, onClose }: { token: Token; onClose: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => access.revokeToken(token.id),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["tokens"] });
      onClose();
    },
  });
  return (
    <Confirm
      title={t("access.revoke_title", { name: token.name })}
      deed={t("access.revoke")}
      isBusy={revoke.isPending}
      refused={revoke.error && refusalOf(revoke.error)}
      onConfirm={() => revoke.mutate()}
      onClose={onClose}
    >
      {t("access.revoke_text")}
    </Confirm>
  );
}
