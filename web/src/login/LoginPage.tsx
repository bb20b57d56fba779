/** Signing in; says at once when this address cannot have a microphone. */

import {
  Alert,
  Button,
  Center,
  Group,
  Image,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Refused, refusalOf } from "../api/client";
import type { Me } from "../api/types";
import { LanguageChoice, ThemeChoice } from "../ui/Choices";
import { IconAlertTriangle } from "../ui/icons";
import { Problem } from "../ui/Problem";

interface LoginProps {
  onSignedIn: (me: Me) => void;
  wasSignedIn: boolean;
}

export default function LoginPage({ onSignedIn, wasSignedIn }: LoginProps) {
  const { t } = useTranslation();
  return (
    <Center component="main" mih="100vh" p="md">
      <Stack w="100%" maw={420} gap="lg">
        <Group gap="sm">
          <Image src="/icon.svg" alt="" w={44} h={44} />
          <div>
            <Text fw={700} size="xl" lh={1.1}>
              {t("app.name")}
            </Text>
            <Text size="sm" c="var(--quiet)">
              {t("login.lead")}
            </Text>
          </div>
        </Group>
        {!window.isSecureContext && <InsecureOrigin />}
        {wasSignedIn && (
          <Alert color="yellow" variant="light" role="status">
            {t("login.session_ended")}
          </Alert>
        )}
        <Paper withBorder p="xl" bg="var(--panel)">
          <LoginForm onSignedIn={onSignedIn} />
        </Paper>
        <Stack gap="sm">
          <LanguageChoice />
          <ThemeChoice />
        </Stack>
      </Stack>
    </Center>
  );
}

function LoginForm({ onSignedIn }: { onSignedIn: (me: Me) => void }) {
  const { t } = useTranslation();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [isTried, setTried] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Refused | null>(null);

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setTried(true);
    if (email.trim() === "" || password === "") return;
    setBusy(true);
    setRefused(null);
    api
      .login(email.trim(), password)
      .then(onSignedIn)
      .catch((error: unknown) => setRefused(refusalOf(error)))
      .finally(() => setBusy(false));
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Title order={1}>{t("login.title")}</Title>
        {refused && <Problem title={t("login.failed")} refused={refused} />}
        <TextInput
          label={t("login.email")}
          type="email"
          autoComplete="username"
          required
          withAsterisk={false}
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          error={isTried && email.trim() === "" && t("login.email_missing")}
        />
        <PasswordInput
          label={t("login.password")}
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={isTried && password === "" && t("login.password_missing")}
        />
        <Button type="submit" size="md" loading={isBusy} fullWidth>
          {t("login.submit")}
        </Button>
      </Stack>
    </form>
  );
}

function InsecureOrigin() {
  const { t } = useTranslation();
  const { origin, hostname, port } = window.location;
  return (
    <Alert
      color="orange"
      variant="light"
      title={t("login.insecure_title")}
      icon={<IconAlertTriangle aria-hidden />}
    >
      <Stack gap={6}>
        <Text size="sm">{t("login.insecure_text", { origin })}</Text>
        <Text size="sm">{t("login.insecure_fix", { port: port || "80", host: hostname })}</Text>
      </Stack>
    </Alert>
  );
}
