/** Who and what may come in, and who did what: for admins. */

import { Stack, Tabs, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Audit } from "./Audit";
import { People } from "./People";
import { Tokens } from "./Tokens";

export default function AccessPage() {
  const { t } = useTranslation();
  return (
    <Stack gap="md">
      <Title order={1}>{t("access.title")}</Title>
      <Tabs defaultValue="tokens" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="tokens">{t("access.tokens")}</Tabs.Tab>
          <Tabs.Tab value="people">{t("access.people")}</Tabs.Tab>
          <Tabs.Tab value="audit">{t("access.audit")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="tokens">
          <Tokens />
        </Tabs.Panel>
        <Tabs.Panel value="people">
          <People />
        </Tabs.Panel>
        <Tabs.Panel value="audit">
          <Audit />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
