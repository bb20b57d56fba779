/** Orders a token, then shows its secret, which nobody can show again. */

import {
  Alert,
  Button,
  Checkbox,
  Code,
  CopyButton,
  Group,
  Modal,
  NumberInput,
  Select,
  Stack,
  TextInput,
} from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import { Problem } from "../ui/Problem";
import { access, type Scope } from "./client";
import { scopeKey } from "./Tokens";

const SCOPES: readonly Scope[] = [
  "calls.read",
  "calls.dial",
  "recordings.read",
  "recordings.download",
  "recordings.delete",
  "quota.read",
  "settings.read",
  "audit.read",
];
const USUAL_DAYS = 365;
const NAME_MAX = 100;

interface NewTokenProps {
  daysMax: number;
  onClose: () => void;
}

export function NewToken({ daysMax, onClose }: NewTokenProps) {
  const { t } = useTranslation();
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <Modal
      opened
      onClose={onClose}
      title={t(secret === null ? "access.new_token" : "access.secret_title")}
      closeOnClickOutside={false}
      closeOnEscape={secret === null}
      closeButtonProps={{ "aria-label": t("app.close") }}
    >
      {secret === null ? (
        <Order daysMax={daysMax} onMade={setSecret} />
      ) : (
        <Secret secret={secret} onClose={onClose} />
      )}
    </Modal>
  );
}

function Order({ daysMax, onMade }: { daysMax: number; onMade: (secret: string) => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>([]);
  const [days, setDays] = useState<number>(Math.min(USUAL_DAYS, daysMax));
  const [actsFor, setActsFor] = useState<string | null>(null);
  const create = useMutation({
    mutationFn: () =>
      access.createToken({
        name: name.trim(),
        scopes: scopes as Scope[],
        expires_in_days: days,
        acts_for: actsFor,
      }),
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ["tokens"] });
      onMade(made.secret);
    },
  });
  const needsPerson = scopes.includes("calls.dial");
  const isWhole = name.trim() !== "" && scopes.length > 0 && (!needsPerson || actsFor !== null);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (isWhole) create.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput
          label={t("access.name")}
          description={t("access.name_hint")}
          maxLength={NAME_MAX}
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
        <Checkbox.Group label={t("access.scopes")} value={scopes} onChange={setScopes} required>
          <Stack gap="xs" mt="xs">
            {SCOPES.map((scope) => (
              <Checkbox
                key={scope}
                value={scope}
                label={t(`access.scope.${scopeKey(scope)}`)}
              />
            ))}
          </Stack>
        </Checkbox.Group>
        <ActsFor value={actsFor} isNeeded={needsPerson} onChange={setActsFor} />
        <NumberInput
          label={t("access.days")}
          min={1}
          max={daysMax}
          clampBehavior="strict"
          allowDecimal={false}
          value={days}
          onChange={(value) => setDays(Number(value) || 1)}
        />
        {create.error && (
          <Problem title={t("access.failed")} refused={refusalOf(create.error)} />
        )}
        <Button type="submit" loading={create.isPending} disabled={!isWhole}>
          {t("access.make")}
        </Button>
      </Stack>
    </form>
  );
}

interface ActsForProps {
  value: string | null;
  isNeeded: boolean;
  onChange: (userId: string | null) => void;
}

function ActsFor({ value, isNeeded, onChange }: ActsForProps) {
  const { t } = useTranslation();
  const people = useQuery({
    queryKey: ["users"],
    queryFn: ({ signal }) => access.people(signal),
  });
  const data = (people.data?.items ?? [])
    .filter((person) => !person.disabled)
    .map((person) => ({ value: person.id, label: `${person.name} (${person.email})` }));
  return (
    <Select
      label={t("access.person")}
      description={t("access.person_hint")}
      data={data}
      value={value}
      onChange={onChange}
      required={isNeeded}
      clearable
      searchable
    />
  );
}

function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Stack gap="md">
      <Alert color="orange" variant="light" role="status">
        {t("access.secret_once")}
      </Alert>
      <Code
        block
        data-testid="secret"
        tabIndex={0}
        style={{ whiteSpace: "pre-wrap", wordBreak: "break-all" }}
      >
        {secret}
      </Code>
      <Group justify="flex-end" gap="sm">
        <CopyButton value={secret}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy}>
              {t(copied ? "access.copied" : "access.copy")}
            </Button>
          )}
        </CopyButton>
        <Button onClick={onClose}>{t("access.have_it")}</Button>
      </Group>
    </Stack>
  );
}
