"""The datasource: one page, whose content names itself."""

from collections.abc import Generator, Mapping
from typing import Any

from dify_plugin.entities import datasource as entities
from dify_plugin.interfaces.datasource.online_document import OnlineDocumentDatasource


class Pages(OnlineDocumentDatasource):
    """Pages that are made up."""

    def _get_pages(self, datasource_parameters: Mapping[str, Any]) -> entities.DatasourceGetPagesResponse:
        space = datasource_parameters.get("space", "all")
        page = entities.OnlineDocumentPage(
            page_id="1", page_name=f"한빛 ({space})", page_icon=None, type="page", last_edited_time="2026-11-26",
            parent_id=None,
        )  # fmt: skip
        found = entities.OnlineDocumentInfo(
            workspace_id="w", workspace_name="wiki", workspace_icon="", total=1, pages=[page]
        )
        return entities.DatasourceGetPagesResponse(result=[found])

    def _get_content(
        self, page: entities.GetOnlineDocumentPageContentRequest
    ) -> Generator[entities.DatasourceMessage]:
        yield self.create_variable_message("content", f"page {page.page_id} of {page.workspace_id}")
