/** Placing a call: field, pad, number to call from. */

import {
  ActionIcon,
  Button,
  NativeSelect,
  Paper,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
  Title,
  UnstyledButton,
} from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { IconBackspace, IconPhone } from "../../ui/icons";
import { type Fault, parseAddress } from "../address";
import {
  useControl,
  useMe,
  useOwnership,
  usePhone,
  usePreferences,
  useStation,
} from "../context";
import classes from "./Dialer.module.css";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "+", "0"] as const;

export function Dialer() {
  const { t } = useTranslation();
  const { control } = usePhone();
  const { numbers } = useMe();
  const { phase } = useStation();
  const { pending } = useControl();
  const isElsewhere = useOwnership() === "elsewhere";
  const { numberId } = usePreferences();
  const [typed, setTyped] = useState("");
  const [fault, setFault] = useState<Fault | null>(null);
  const from = numbers.find(({ id }) => id === numberId) ?? numbers[0];
  const canDial = phase === "ready" && !isElsewhere;

  const write = (text: string): void => {
    setTyped(text);
    setFault(null);
  };
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!canDial || pending !== null) return;
    const parsed = parseAddress(typed);
    if ("fault" in parsed) return setFault(parsed.fault);
    if (await control.dial(parsed.to, from?.id)) setTyped("");
  };

  return (
    <Paper component="section" withBorder p="lg" className={classes.panel}>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <Stack gap="md">
          <Title order={2}>{t("dial.title")}</Title>
          {numbers.length > 1 && from && <NumberChoice value={from.id} />}
          <TextInput
            label={t("dial.to")}
            description={t("dial.to_hint")}
            size="md"
            inputMode="tel"
            autoComplete="off"
            value={typed}
            onChange={(event) => write(event.currentTarget.value)}
            error={fault !== null && t(`dial.fault.${fault}`)}
            rightSection={
              typed !== "" && (
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  aria-label={t("dial.erase")}
                  onClick={() => write(typed.slice(0, -1))}
                >
                  <IconBackspace size={20} aria-hidden />
                </ActionIcon>
              )
            }
          />
          <Pad onKey={(key) => write(typed + key)} />
          <Button
            type="submit"
            size="md"
            className={classes.call}
            leftSection={<IconPhone size={20} aria-hidden />}
            disabled={!canDial}
            loading={pending === "dial"}
          >
            {t("dial.call")}
          </Button>
          {!canDial && (
            <Text size="sm" c="var(--quiet)">
              {isElsewhere ? t("dial.elsewhere") : t("dial.not_ready")}
            </Text>
          )}
        </Stack>
      </form>
    </Paper>
  );
}

function NumberChoice({ value }: { value: string }) {
  const { t } = useTranslation();
  const { preferences } = usePhone();
  const { numbers } = useMe();
  return (
    <NativeSelect
      label={t("dial.from")}
      data={numbers.map(({ id, display }) => ({ value: id, label: display }))}
      value={value}
      onChange={(event) => preferences.patch({ numberId: event.currentTarget.value })}
    />
  );
}

function Pad({ onKey }: { onKey: (key: string) => void }) {
  const { t } = useTranslation();
  return (
    <SimpleGrid cols={3} spacing={6} role="group" aria-label={t("dial.pad")}>
      {KEYS.map((key) => (
        <UnstyledButton
          key={key}
          type="button"
          className={classes.key}
          aria-label={key === "+" ? t("dial.plus") : t("dial.digit", { digit: key })}
          onClick={() => onKey(key)}
        >
          {key}
        </UnstyledButton>
      ))}
    </SimpleGrid>
  );
}
