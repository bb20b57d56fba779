/** An address that leads nowhere. */

import { Anchor, Stack, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";

export function NotFoundPage() {
  const { t } = useTranslation();
  return (
    <Stack p="xl" align="center">
      <Title order={1}>{t("app.not_found")}</Title>
      <Anchor component={Link} to="/">
        {t("app.to_phone")}
      </Anchor>
    </Stack>
  );
}
