"""The company table in the database: a copy of the shipped one, for names on pages and in SQL."""

from sqlalchemy import Engine, delete
from sqlalchemy.dialects.postgresql import insert

from squall.companies import load_companies
from squall.db.tables import Company, Listing
from squall.settings import Settings


def store_companies(engine: Engine, settings: Settings) -> int:
    """Write the companies and their listings; returns how many companies there are. Companies no longer listed stay."""
    companies = load_companies(settings.companies_file)
    rows = [{"id": c.id, "name": c.name, "sector": c.sector, "country": c.country} for c in companies]
    listings = [
        {"company_id": c.id, "ticker": one.ticker, "exchange": one.exchange, "since": one.since, "until": one.until}
        for c in companies
        for one in c.listings
    ]
    with engine.begin() as connection:
        upsert = insert(Company)
        fresh = {name: upsert.excluded[name] for name in ("name", "sector", "country")}
        connection.execute(upsert.on_conflict_do_update(index_elements=["id"], set_=fresh), rows)
        connection.execute(delete(Listing).where(Listing.company_id.in_([c.id for c in companies])))
        connection.execute(insert(Listing), listings)
    return len(companies)
