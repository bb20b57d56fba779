/** The softphone: what rings or runs at the left, what one wants to know about it at the right. */

import { Grid, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { offers, ownCall } from "../calls";
import { useLine } from "../context";
import { ActiveCall } from "./ActiveCall";
import { Dialer } from "./Dialer";
import { FailurePanel } from "./FailurePanel";
import { History } from "./History";
import { IncomingCall } from "./IncomingCall";
import { LastCall } from "./LastCall";
import { Readiness } from "./Readiness";
import { Team } from "./Team";

export function PhonePage() {
  const { t } = useTranslation();
  const line = useLine();
  const own = ownCall(line);
  const waiting = own === null ? offers(line) : [];
  const subject = own ?? waiting[0] ?? null;
  return (
    <>
      <h1 className="visually-hidden">{t("app.phone")}</h1>
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 5 }}>
          <FailurePanel />
          <Stack gap="md">
            {own !== null && <ActiveCall call={own} />}
            {waiting[0] !== undefined && (
              <IncomingCall call={waiting[0]} others={waiting.length - 1} />
            )}
            {subject === null && line.lastCall !== null && <LastCall call={line.lastCall} />}
            {own === null && <Readiness />}
            {subject === null && <Dialer />}
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Stack gap="md">
            {subject === null ? (
              <History peer={null} />
            ) : (
              <History peer={subject.peer} exceptId={subject.id} />
            )}
            <Team />
          </Stack>
        </Grid.Col>
      </Grid>
    </>
  );
}
