// What Swagger UI lacks for a reader who scrolls little, or who uses no mouse.

/**
 * Folds up what of a response is not the payload, and makes a dialog of the dialog for the key.
 *
 * @see https://swagger.io/docs/open-source-tools/swagger-ui/customization/plug-points/
 */
// biome-ignore lint/correctness/noUnusedVariables: page.js uses it
function TidyPlugin() {
  return { wrapComponents: { headers: foldHeaders, response: foldOthers, authorizationPopup: takeFocus } };
}

/** @type {WrapComponent} */
const foldHeaders = (Original, { React }) =>
  function Headers(props) {
    return React.createElement(
      "details",
      { className: "fold" },
      React.createElement("summary", null, "Headers"),
      React.createElement(Original, props),
    );
  };

/** Of the responses, only the payload lies open. @type {WrapComponent} */
const foldOthers = (Original, { React, getComponent }) =>
  function Response(props) {
    if (props.code === "200") return React.createElement(Original, props);
    const h = React.createElement;
    const description = h(getComponent("Markdown", true), { source: props.response.get("description") });
    const particulars = h("table", { className: "responses-table" }, h("tbody", null, h(Original, props)));
    return h(
      "tr",
      { className: "response" },
      h("td", { className: "response-col_status" }, props.code),
      h(
        "td",
        { className: "response-col_description" },
        h("details", { className: "fold folded-response" }, h("summary", null, description), particulars),
      ),
    );
  };

/** Takes the focus on opening, gives it back on closing, and closes on Escape. @type {WrapComponent} */
const takeFocus = (Original, { React }) =>
  function AuthorizationPopup(props) {
    const dialog = React.useRef(/** @type {HTMLElement | null} */ (null));
    React.useEffect(() => {
      const opener = document.activeElement;
      const first = dialog.current?.querySelector("input, .modal-ux-content button");
      if (first instanceof HTMLElement) first.focus();
      const closeOnEscape = (/** @type {KeyboardEvent} */ { key }) => {
        if (key === "Escape") props.authActions.showDefinitions(false);
      };
      document.addEventListener("keydown", closeOnEscape);
      return () => {
        document.removeEventListener("keydown", closeOnEscape);
        // A key that was entered has made new buttons.
        const back = opener?.isConnected ? opener : document.querySelector(".auth-wrapper .authorize");
        if (back instanceof HTMLElement) back.focus();
      };
    }, []);
    return React.createElement(
      "div",
      { ref: dialog, role: "dialog", "aria-modal": true, "aria-label": "API key" },
      React.createElement(Original, props),
    );
  };
