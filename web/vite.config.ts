import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const gateway = process.env["CALLGATE_DEV_GATEWAY"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    sourcemap: false,
    manifest: true,
    // The policy of the gateway forbids inline scripts and fonts from data: addresses.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  server: { proxy: { "/api": { target: gateway, ws: true } } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
