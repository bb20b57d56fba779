/** A page that fails shows that it failed, and leaves the phone alone. */

import i18next from "i18next";
import { Component, type ReactNode } from "react";
import { Refused } from "../api/client";
import { Problem } from "../ui/Problem";

interface BoundaryState {
  refused: Refused | null;
}

export class Boundary extends Component<{ children: ReactNode }, BoundaryState> {
  override state: BoundaryState = { refused: null };

  static getDerivedStateFromError(error: unknown): BoundaryState {
    return { refused: new Refused(0, { code: "unexpected", detail: String(error) }) };
  }

  override render(): ReactNode {
    const { refused } = this.state;
    if (refused === null) return this.props.children;
    return <Problem title={i18next.t("app.page_failed")} refused={refused} />;
  }
}
