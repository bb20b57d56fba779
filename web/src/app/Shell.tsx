/** Frame of every page: header with the phone's state, navigation, notices, the live call. */

import { AppShell, Center, Loader } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { type ComponentType, lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Link, Route, Switch, useLocation } from "wouter";
import { useMe } from "../phone/context";
import { Announcer } from "../phone/ui/Announcer";
import { CallBar } from "../phone/ui/CallBar";
import { PhonePage } from "../phone/ui/PhonePage";
import { StatusPill } from "../phone/ui/StatusPill";
import { useShortcuts } from "../phone/ui/useShortcuts";
import {
  IconHourglass,
  IconList,
  IconMicrophone2,
  IconPhone,
  IconScale,
  IconSettings,
} from "../ui/icons";
import { Banners } from "./Banners";
import { Boundary } from "./Boundary";
import { NotFoundPage } from "./NotFoundPage";
import classes from "./Shell.module.css";
import { useFreshLists } from "./useFreshLists";

const UserMenu = lazy(() => import("./UserMenu"));
const KeySheet = lazy(() => import("../phone/ui/KeySheet"));
const CallsPage = lazy(() => import("../calls/CallsPage"));
const CallPage = lazy(() => import("../calls/CallPage"));
const MinutesPage = lazy(() => import("../minutes/MinutesPage"));
const RecordingsPage = lazy(() => import("../recordings/RecordingsPage"));
const ReconciliationPage = lazy(() => import("../reconciliation/ReconciliationPage"));
const AccessPage = lazy(() => import("../access/AccessPage"));
const DataRequestsPage = lazy(() => import("../customers/DataRequestsPage"));
const SessionsPage = lazy(() => import("../access/SessionsPage"));
const SettingsPage = lazy(() => import("../settings/SettingsPage"));

interface Place {
  to: string;
  text: "phone" | "calls" | "recordings" | "minutes" | "reconciliation" | "settings";
  icon: ComponentType<{ size?: number }>;
  /** Not for agents. */
  isForLeads?: true;
}

const places: readonly Place[] = [
  { to: "/", text: "phone", icon: IconPhone },
  { to: "/calls", text: "calls", icon: IconList },
  { to: "/recordings", text: "recordings", icon: IconMicrophone2, isForLeads: true },
  { to: "/minutes", text: "minutes", icon: IconHourglass, isForLeads: true },
  { to: "/reconciliation", text: "reconciliation", icon: IconScale, isForLeads: true },
  { to: "/settings", text: "settings", icon: IconSettings },
];

function Navigation() {
  const { t } = useTranslation();
  const [path] = useLocation();
  const { role } = useMe().user;
  const shown = places.filter(({ isForLeads }) => role !== "agent" || isForLeads === undefined);
  return (
    <nav className={classes.nav} aria-label={t("app.navigation")}>
      {shown.map(({ to, text, icon: Icon }) => {
        const isHere = to === "/" ? path === "/" : path.startsWith(to);
        return (
          <Link
            key={to}
            to={to}
            className={classes.link}
            {...(isHere && { "aria-current": "page" })}
          >
            <Icon size={18} aria-hidden />
            {t(`app.${text}`)}
          </Link>
        );
      })}
    </nav>
  );
}

export function Shell() {
  const { t } = useTranslation();
  const [path] = useLocation();
  const [isSheetOpen, sheet] = useDisclosure(false);
  const { role } = useMe().user;
  const isLead = role !== "agent";
  useShortcuts(sheet.toggle);
  useFreshLists();
  return (
    <AppShell header={{ height: 60 }} footer={{ height: { base: 58, xs: 0 } }} padding="md">
      <a className={classes.skip} href="#content">
        {t("app.skip")}
      </a>
      <AppShell.Header>
        <div className={classes.header}>
          <div className={classes.brand}>
            <img src="/icon.svg" alt="" width={30} height={30} />
            <span className={classes.brandText}>{t("app.name")}</span>
          </div>
          <Navigation />
          <div className={classes.spacer} />
          <StatusPill />
          <Suspense fallback={<div className={classes.user} />}>
            <UserMenu onShortcuts={sheet.open} />
          </Suspense>
        </div>
      </AppShell.Header>
      <AppShell.Main className={classes.main} id="content" tabIndex={-1}>
        <div className={classes.content}>
          <Banners />
          {path !== "/" && <CallBar />}
          <Boundary key={path}>
            <Suspense fallback={<Waiting />}>
              <Switch>
                <Route path="/" component={PhonePage} />
                <Route path="/calls" component={CallsPage} />
                <Route path="/calls/:id">{({ id }) => <CallPage id={id} />}</Route>
                {isLead && <Route path="/recordings" component={RecordingsPage} />}
                {isLead && <Route path="/minutes" component={MinutesPage} />}
                {isLead && <Route path="/reconciliation" component={ReconciliationPage} />}
                {role === "admin" && <Route path="/access" component={AccessPage} />}
                {role === "admin" && (
                  <Route path="/data-requests" component={DataRequestsPage} />
                )}
                <Route path="/sessions" component={SessionsPage} />
                <Route path="/settings" component={SettingsPage} />
                <Route component={NotFoundPage} />
              </Switch>
            </Suspense>
          </Boundary>
        </div>
      </AppShell.Main>
      <AppShell.Footer className={classes.bottom}>
        <Navigation />
      </AppShell.Footer>
      <Announcer />
      {isSheetOpen && (
        <Suspense>
          <KeySheet onClose={sheet.close} />
        </Suspense>
      )}
    </AppShell>
  );
}

function Waiting() {
  const { t } = useTranslation();
  return (
    <Center p="xl">
      <Loader aria-label={t("app.loading")} />
    </Center>
  );
}
