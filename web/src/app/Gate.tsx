/** Who is here? Nobody: the login page. Somebody: the app. */

import { Button, Center, Loader, Stack } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Refused, refusalOf } from "../api/client";
import type { Me } from "../api/types";
import { useLine, usePhone } from "../phone/context";
import { Problem } from "../ui/Problem";
import { Shell } from "./Shell";

const LoginPage = lazy(() => import("../login/LoginPage"));

type Asked = "asking" | "signed_out" | "signed_in" | Refused;

export function Gate() {
  const { t } = useTranslation();
  const phone = usePhone();
  const queries = useQueryClient();
  const { connection, me } = useLine();
  const [asked, setAsked] = useState<Asked>("asking");
  const [wasSignedIn, setWasSignedIn] = useState(false);

  const enter = useCallback(
    (known: Me) => {
      phone.line.meRead(known);
      phone.start();
      setAsked("signed_in");
      setWasSignedIn(true);
    },
    [phone],
  );

  const ask = useCallback(() => {
    setAsked("asking");
    api.me().then(enter, (error: unknown) => {
      const refused = refusalOf(error);
      setAsked(refused.status === 401 ? "signed_out" : refused);
    });
  }, [enter]);

  useEffect(ask, [ask]);

  useEffect(() => {
    if (connection !== "signed_out") return;
    // The next person at this browser must not see what the last one loaded.
    queries.clear();
    setAsked("signed_out");
  }, [connection, queries]);

  if (asked === "signed_out") {
    return (
      <Suspense>
        <LoginPage onSignedIn={enter} wasSignedIn={wasSignedIn} />
      </Suspense>
    );
  }
  if (asked === "signed_in" && me !== null) return <Shell />;
  return (
    <Center mih="100vh" p="md">
      {asked === "asking" || asked === "signed_in" ? (
        <Loader aria-label={t("app.loading")} />
      ) : (
        <Stack w={420}>
          <Problem title={t("app.page_failed")} refused={asked} />
          <Button onClick={ask}>{t("app.retry")}</Button>
        </Stack>
      )}
    </Center>
  );
}
